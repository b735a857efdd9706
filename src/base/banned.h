/*
 * banned.h - calls that no file of the house may make.
 *
 * Promises: a file that includes this after all other headers does not compile
 * when it names one of these functions: unbounded copies, hidden state, locale,
 * silent number parsing, a shell.
 * Does not: work in files that include system or nginx headers afterwards.
 */
#ifndef TG_BASE_BANNED_H
#define TG_BASE_BANNED_H

/* Unbounded or truncating string work: base/buf.h bounds and reports. */
#pragma GCC poison strcpy strcat strncpy strncat stpcpy gets
/* A fortified libc makes macros of these for clang; a macro cannot be poisoned, the lint still finds the name. */
#ifndef sprintf
#pragma GCC poison sprintf vsprintf
#endif
/* Hidden state between calls or threads. */
#pragma GCC poison strtok localtime localtime_r gmtime asctime ctime strerror getpwnam getpwuid getgrnam readdir_r
/* Numbers that swallow rubbish, spaces, signs and locales. */
#pragma GCC poison atoi atol atoll atof strtod scanf sscanf fscanf
/* A shell, guessable names, weak randomness. */
#pragma GCC poison system popen tmpnam tempnam mktemp rand srand random srandom drand48

#endif
