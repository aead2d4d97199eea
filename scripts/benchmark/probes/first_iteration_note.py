"""The variable by which a training process is told where to note its first iteration."""

NOTE = "BENCHMARK_FIRST_ITERATION"
