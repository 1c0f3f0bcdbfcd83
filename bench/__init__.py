"""What City Neuron takes, needs and promises in figures: real servers, peers beside it, one run, one page."""
