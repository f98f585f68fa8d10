//! The memory allocator. A run makes and drops millions of small texts on all threads. jemalloc does that with less time than
//! the allocator of glibc. With its own defaults it would keep more memory, so `.cargo/config.toml` sets it up: two arenas for all
//! threads, caches of threads only for small texts, and what is free goes back after 100 ms. A build from outside of the checkout
//! has the defaults.
//!
//! On other processors the size of a page depends on the machine, and jemalloc only runs where it is that of the build machine.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
