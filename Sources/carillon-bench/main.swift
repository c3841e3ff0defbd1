// The carillon-bench executable: one line, as for carillon.
import Bench

BenchProgram.main()
