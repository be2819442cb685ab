// Room under construction: the first real file replaces this one.
