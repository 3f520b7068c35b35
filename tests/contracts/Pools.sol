// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// A pool that says what a v3 pool says, and holds nothing.
contract Pool {
    event Swap(
        address indexed sender, address indexed recipient, int256 amount0, int256 amount1,
        uint160 sqrtPriceX96, uint128 liquidity, int24 tick
    );

    address public immutable token0;
    address public immutable token1;
    uint24 public immutable fee;

    constructor(address token0_, address token1_, uint24 fee_) {
        token0 = token0_;
        token1 = token1_;
        fee = fee_;
    }

    function swap(
        address recipient, int256 amount0, int256 amount1,
        uint160 sqrtPriceX96, uint128 liquidity, int24 tick
    ) external {
        emit Swap(msg.sender, recipient, amount0, amount1, sqrtPriceX96, liquidity, tick);
    }
}

contract PoolFactory {
    event PoolCreated(
        address indexed token0, address indexed token1, uint24 indexed fee,
        int24 tickSpacing, address pool
    );

    Pool[] public pools;

    function createPool(address tokenA, address tokenB, uint24 fee) public returns (Pool pool) {
        (address token0, address token1) = tokenA < tokenB ? (tokenA, tokenB) : (tokenB, tokenA);
        pool = new Pool(token0, token1, fee);
        pools.push(pool);
        emit PoolCreated(token0, token1, fee, int24(fee / 50), address(pool));
    }

    /// Create a pool and swap in the same transaction.
    function createPoolAndSwap(
        address tokenA, address tokenB, uint24 fee, int256 amount0, int256 amount1, uint160 sqrtPriceX96
    ) external {
        createPool(tokenA, tokenB, fee).swap(msg.sender, amount0, amount1, sqrtPriceX96, 1, 0);
    }
}
