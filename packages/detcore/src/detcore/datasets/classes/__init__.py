"""Names of classes, as text files, and the colours that tell classes apart."""
