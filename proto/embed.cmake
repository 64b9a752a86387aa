# cmake -DIN=descriptor_set.bin -DOUT=descriptor_set.c -P embed.cmake: bytes as a C array.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "#include \"descriptor_set.h\"\n\n"
     "const unsigned char descriptor_set[] = {\n${bytes}};\n"
     "const size_t descriptor_set_size = sizeof(descriptor_set);\n")
