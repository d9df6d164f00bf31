// SPDX-License-Identifier: Apache-2.0
// A C target has a source file.
#include "CHTTP2.h"
