-- Work for handlers that shall take a while: a loop of arithmetic that depends on itself.
return function(loops)
    local x = 1
    for i = 1, loops do
        x = (x * 31 + i) % 1000003
    end
    return x
end
