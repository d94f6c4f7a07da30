// All sizes of a tile, for the tables of TileSet.
#pragma once

// All sizes of a tile function template <class V, int pixels, int vectors> up to 6 pixels.
#define LOWBIT_TILES_6(function, V, vectors)                                      \
  {                                                                               \
    function<V, 1, vectors>, function<V, 2, vectors>, function<V, 3, vectors>,    \
        function<V, 4, vectors>, function<V, 5, vectors>, function<V, 6, vectors> \
  }
#define LOWBIT_TILES_1X6(function, V) \
  { LOWBIT_TILES_6(function, V, 1) }
#define LOWBIT_TILES_2X6(function, V) \
  { LOWBIT_TILES_6(function, V, 1), LOWBIT_TILES_6(function, V, 2) }
#define LOWBIT_TILES_2X4(function, V)                                                 \
  {                                                                                   \
    {function<V, 1, 1>, function<V, 2, 1>, function<V, 3, 1>, function<V, 4, 1>},     \
        {function<V, 1, 2>, function<V, 2, 2>, function<V, 3, 2>, function<V, 4, 2>}, \
  }
#define LOWBIT_TILES_4X6(function, V)                                  \
  {                                                                    \
    LOWBIT_TILES_6(function, V, 1), LOWBIT_TILES_6(function, V, 2),    \
        LOWBIT_TILES_6(function, V, 3), LOWBIT_TILES_6(function, V, 4) \
  }
