//! Values of a program, looked up.
