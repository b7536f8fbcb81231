local clock = require('clock')
local r = clock.bench(function(a, b) return a + b, 'more' end, 1, 2)
assert(r[1] >= 0)
same({ r[2], r[3] }, { 3, 'more' })
