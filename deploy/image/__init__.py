"""How the image is made small and quick to start; runs while it is built."""
