"""What the service takes, measured. Run by hand, never by the tests."""
