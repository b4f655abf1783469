"""What is found, to keep and to pass on: one HTML file, all figures as CSV and JSON, a picture to share."""
