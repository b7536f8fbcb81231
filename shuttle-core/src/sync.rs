//! The primitives of the memory model, from std or, when models are checked, from loom. Nothing
//! else in the crate names either, so what loom explores is the code that ships. (`Arc` is std's
//! always: how it counts is not ours to check, and loom's cannot be dropped once a model failed.
//! The bytes of `chunk.rs` are in std's cells always and have a [`Watch`] beside them.)

#[cfg(loom)]
mod imp {
    use std::ops::Range;

    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic;

    /// Watches bytes that must lie side by side, which loom's cells cannot.
    #[derive(Debug)]
    pub(crate) struct Watch(Box<[UnsafeCell<()>]>);

    impl Watch {
        pub(crate) fn new(bytes: usize) -> Self {
            Self((0..bytes).map(|_| UnsafeCell::new(())).collect())
        }

        pub(crate) fn read(&self, bytes: Range<usize>) {
            self.0[bytes].iter().for_each(|byte| byte.with(|_| ()));
        }

        pub(crate) fn write(&self, bytes: Range<usize>) {
            self.0[bytes].iter().for_each(|byte| byte.with_mut(|_| ()));
        }
    }
}

#[cfg(not(loom))]
mod imp {
    use std::ops::Range;
    pub(crate) use std::sync::atomic;

    /// Tells loom who reads and writes which bytes; here there is nobody to tell.
    #[derive(Debug)]
    pub(crate) struct Watch;

    impl Watch {
        pub(crate) fn new(_bytes: usize) -> Self {
            Self
        }

        #[inline]
        pub(crate) fn read(&self, _bytes: Range<usize>) {}

        #[inline]
        pub(crate) fn write(&self, _bytes: Range<usize>) {}
    }

    /// The std cell in the shape of loom's: access goes through a closure that is given a pointer.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0.get())
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }
}

pub(crate) use imp::*;

/// Whether to do nothing in a `drop`: a model that failed unwinds, and loom can be asked nothing
/// more. Never so outside models.
pub(crate) fn is_model_over() -> bool {
    cfg!(loom) && std::thread::panicking()
}

/// Keeps what one thread writes away from the cache lines of another. 128 bytes: x86-64 fetches
/// lines in pairs, and the lines of several aarch64 cores are that long.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

impl<T> std::ops::Deref for CachePadded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
