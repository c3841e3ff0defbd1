// The carillon executable: one line, because C callbacks and globals in main.swift die on other threads.
import CommandLineTool

CarillonProgram.main()
