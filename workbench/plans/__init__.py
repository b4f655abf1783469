"""The evaluation plan, and which previews it asks for."""
