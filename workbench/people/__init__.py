"""What people's ratings are worth: how steady they are, how far they agree, which order they put pictures into."""
