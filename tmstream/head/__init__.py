"""The k-nearest-neighbour head that every modality shares."""
