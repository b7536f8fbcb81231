//! Cells that carry work between two threads, one owner at a time: a ferry with berths, rings, doorbells and pins.
