-- Functions of Lua's libraries that stand on the machine's stack while they call Lua code: with
-- little of it left they raise an error, as Lua does when its own stack ends.

local native = ...
local is_low = native.is_low

---@param f function
---@return function
local function bounded(f)
    return function(...)
        if is_low() then
            error('C stack overflow', 2)
        end
        return f(...)
    end
end

coroutine.create = bounded(coroutine.create)
coroutine.wrap = bounded(coroutine.wrap)
table.sort = bounded(table.sort)
print = bounded(print)
dofile = bounded(dofile)
require = bounded(require)
collectgarbage = bounded(collectgarbage)

-- These two call Lua code only if they are given some.

local gsub = string.gsub

---As Lua's, which stands on the machine's stack while it calls the replacement.
---@param ... any
---@return string, integer
function string.gsub(...)
    local _, _, by = ...
    if type(by) ~= 'string' and is_low() then
        error('C stack overflow', 2)
    end
    return gsub(...)
end

local load = load

---As Lua's, which stands on the machine's stack while it calls the reader.
---@param ... any
---@return function?, string?
function _G.load(...)
    if type((...)) == 'function' and is_low() then
        error('C stack overflow', 2)
    end
    return load(...)
end

return native
