// SPDX-License-Identifier: Apache-2.0
// nghttp2, which frames HTTP/2 and compresses its heads.
#pragma once
#include <nghttp2/nghttp2.h>
