#include "cassets.h"

const casset cassets[] = {{"", (const unsigned char *)"", 0}};
const size_t cassets_count = 0;
