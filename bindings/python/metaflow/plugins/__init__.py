"""What official Metaflow keeps in plugins and users name: exceptions of decorators."""
