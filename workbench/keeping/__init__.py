"""What is kept, what goes into the bin, and the whole workspace in one file."""
