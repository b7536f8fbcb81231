-- An error in a fiber that nobody joins is logged, and ends that fiber alone.
local fiber = require('fiber')
local f = fiber.create(function() error('lost') end)
same(f:status(), 'dead')
f = fiber.create(function() fiber.yield() error({ code = 7 }) end)
fiber.yield()
same(f:status(), 'dead')
fiber.create(function() local x = nil; return x.y end)
fiber.sleep(0)
