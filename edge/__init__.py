"""What a device is and how it speaks: the ground on which every other part stands."""
