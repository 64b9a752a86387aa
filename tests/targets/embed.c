/* A program that is no Python but has one in it: runs the script in its first argument, then waits.
 */
#include <Python.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    Py_Initialize();
    if (argc != 2 || PyRun_SimpleString(argv[1]) != 0)
        return 1;
    for (;;)
        (void)pause();
}
