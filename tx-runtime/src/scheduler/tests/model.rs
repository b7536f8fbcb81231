//! Random lives against a model that has no stacks.
