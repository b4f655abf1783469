"""Rating, blind: what is asked in a sitting, in which order, and how an answer becomes a lasting event."""
