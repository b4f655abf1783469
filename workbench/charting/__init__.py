"""Tables to charts."""
