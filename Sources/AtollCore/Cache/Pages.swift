// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Zeroed memory straight from the kernel, which supplies a page when it is first touched.
func mapPages(_ bytes: Int) -> UnsafeMutableRawPointer {
  guard let memory = probePages(bytes) else {
    fatalError("the kernel refuses \(bytes) bytes of address space")
  }
  return memory
}

/// The same for whoever can do without.
func probePages(_ bytes: Int) -> UnsafeMutableRawPointer? {
  let memory = mmap(
    nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
  return memory == MAP_FAILED ? nil : memory
}

func unmapPages(_ memory: UnsafeMutableRawPointer, _ bytes: Int) { munmap(memory, bytes) }
