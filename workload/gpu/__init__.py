"""One GPU of a rank's node: what a convolution there asks of it.

`device` describes it, `driver` is NVIDIA's, and `compiler` makes its code. Only these files load what the extra `gpu`
installs, and only when a GPU is asked for.
"""
