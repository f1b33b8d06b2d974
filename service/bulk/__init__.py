"""Many pictures, without HTTP: which, where to, who colours them, what became of them."""
