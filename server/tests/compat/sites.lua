-- Sites by prefix, in order: the handler behind a path says who it is.
local httpng = require 'httpng'

local function named(name)
    return function() return { body = name } end
end

httpng.cfg {
    listen = 0,
    sites = {
        { path = '/shop/cart', handler = named 'cart' },
        { path = '/shop', handler = named 'shop' },
        { path = '/blog', handler = named 'blog' },
        { path = '/blog/archive', handler = named 'never asked' },
    },
}
