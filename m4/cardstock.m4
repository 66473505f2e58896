# SPDX-License-Identifier: Apache-2.0

# CARDSTOCK_LIBRARY(VARIABLE, MODULE, MINIMUM, DEBIAN PACKAGE)
# Looks MODULE up by pkg-config and sets VARIABLE_CFLAGS and VARIABLE_LIBS;
# what is missing is only noted, so that all of it can be told at once.
AC_DEFUN([CARDSTOCK_LIBRARY], [
AC_ARG_VAR([$1_CFLAGS], [compiler flags for $2, instead of pkg-config's])
AC_ARG_VAR([$1_LIBS], [linker flags for $2, instead of pkg-config's])
AC_MSG_CHECKING([for $2 >= $3])
AS_IF([test -n "$$1_CFLAGS$$1_LIBS"], [AC_MSG_RESULT([given])],
      [test "x$PKG_CONFIG" = xno], [
	AC_MSG_RESULT([cannot tell without pkg-config])
	cardstock_missing="$cardstock_missing $4"],
      [$PKG_CONFIG --exists "$2 >= $3" 2>&AS_MESSAGE_LOG_FD], [
	$1_CFLAGS=`$PKG_CONFIG --cflags $2`
	$1_LIBS=`$PKG_CONFIG --libs $2`
	cardstock_version=`$PKG_CONFIG --modversion $2`
	AC_MSG_RESULT([$cardstock_version])], [
	AC_MSG_RESULT([no])
	cardstock_missing="$cardstock_missing $4"])
])

# CARDSTOCK_TOOL(VARIABLE, PROGRAM, DEBIAN PACKAGE)
AC_DEFUN([CARDSTOCK_TOOL], [
AC_PATH_PROG([$1], [$2], [no])
AS_IF([test "x$$1" = xno], [cardstock_missing="$cardstock_missing $3"])
])

# CARDSTOCK_CFLAG(FLAGS, VARIABLE): appends FLAGS when compiler and linker
# take them without a warning.
AC_DEFUN([CARDSTOCK_CFLAG], [
AC_MSG_CHECKING([whether $CC takes $1])
cardstock_saved_cflags=$CFLAGS
CFLAGS="-O2 -Werror $1"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]],
	[[char text[8]; memset(text, 0, sizeof(text)); return text[0];]])],
	[AC_MSG_RESULT([yes])
	 $2="$$2 $1"],
	[AC_MSG_RESULT([no])])
CFLAGS=$cardstock_saved_cflags
])
