# cmake -DOUT=schema.c -P embed.cmake A.sql B.sql ...: the migrations as C arrays, so that the program
# carries its own schema. A file NNNN_words.sql is migration NNNN.
cmake_policy(SET CMP0057 NEW)
set(arrays "")
set(rows "")
math(EXPR last "${CMAKE_ARGC} - 1")
set(reading FALSE)
foreach(i RANGE 0 ${last})
    set(file "${CMAKE_ARGV${i}}")
    if(NOT file MATCHES "([0-9][0-9][0-9][0-9])_([a-z0-9_]+)\\.sql$")
        continue()
    endif()
    set(number "${CMAKE_MATCH_1}")
    set(name "${CMAKE_MATCH_2}")
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "^0+" "" version "${number}")
    string(APPEND arrays "static const char sql_${number}[] = {\n${bytes}0};\n")
    string(APPEND rows "    {${version}, \"${name}\", sql_${number}},\n")
endforeach()
file(WRITE "${OUT}" "#include \"schema.h\"\n\n${arrays}\n"
     "const struct schema_step schema_steps[] = {\n${rows}};\n"
     "const int schema_step_count = sizeof(schema_steps) / sizeof(schema_steps[0]);\n")
