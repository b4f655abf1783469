"""The queue, the worker that empties it, and the engine that computes."""
