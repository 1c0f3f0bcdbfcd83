"""What is done to a reading between decoding and the journal. Pure: values in, flags out."""
