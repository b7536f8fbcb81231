-- Stores an upload of any size in a temporary file, piece by piece, and says what came.
--     httpng examples/upload.lua
--     head -c 1G /dev/zero | curl -T - http://localhost:3300/
-- No more than a few pieces of it are in memory: when the disk is slow, the client waits.
local httpng = require('httpng')
local json = require('json')

local function store(req, file)
    local size, pieces = 0, 0
    -- Raises an error if the client leaves in the middle: then nothing is kept.
    for piece in req:pieces() do
        assert(file:write(piece))
        size, pieces = size + #piece, pieces + 1
    end
    return { size = size, pieces = pieces, trailers = req.trailers }
end

local function upload(req)
    local name = os.tmpname()
    local file = assert(io.open(name, 'wb'))
    local ok, result = pcall(store, req, file)
    file:close()
    -- A program of yours would keep it: os.rename(name, ...)
    os.remove(name)
    if not ok then
        error(result, 0)
    end
    return { headers = { ['content-type'] = 'application/json' }, body = json.encode(result) .. '\n' }
end

httpng.cfg({ stream = true, handler = upload })
