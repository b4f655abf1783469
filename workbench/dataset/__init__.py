"""The photos of one subject: brought in, cut, captioned, split, looked over."""
