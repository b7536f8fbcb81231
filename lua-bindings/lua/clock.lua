-- `clock`: the clocks of the machine, by Tarantool's names.
local core = ...

---@class clock
local clock = {}

---@param read fun(): number, number
local function in_seconds(read)
    return function()
        local seconds, nanos = read()
        return seconds + nanos / 1e9
    end
end

---@param read fun(): number, number
local function in_nanoseconds(read)
    return function()
        local seconds, nanos = read()
        return seconds * 1000000000ULL + nanos
    end
end

---Seconds since 1970.
---@type fun(): number
clock.time = in_seconds(core.realtime)
clock.realtime = clock.time
---Seconds since some moment; never goes back.
---@type fun(): number
clock.monotonic = in_seconds(core.monotonic)
---Seconds of processor time that the process has used.
---@type fun(): number
clock.proc = in_seconds(core.process)
---Seconds of processor time that this thread has used.
---@type fun(): number
clock.thread = in_seconds(core.thread)

---Nanoseconds since 1970, as a 64-bit integer.
---@type fun(): ffi.cdata*
clock.time64 = in_nanoseconds(core.realtime)
clock.realtime64 = clock.time64
---@type fun(): ffi.cdata*
clock.monotonic64 = in_nanoseconds(core.monotonic)
---@type fun(): ffi.cdata*
clock.proc64 = in_nanoseconds(core.process)
---@type fun(): ffi.cdata*
clock.thread64 = in_nanoseconds(core.thread)

---Calls a function and measures the processor time it takes.
---@param f function
---@return table # the seconds, followed by the results of the function
function clock.bench(f, ...)
    local before = clock.proc()
    local function pack(...)
        return { clock.proc() - before, ... }
    end
    return pack(f(...))
end

return clock
