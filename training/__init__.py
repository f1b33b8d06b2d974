"""Make the corpus, train the autoencoders, export them to ONNX, judge them."""
