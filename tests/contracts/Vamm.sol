// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// A market that emits what the vAMM of the original design emits, and holds no money.
/// The mark after a trade (BondingCurveUpdated) comes before the trade's own event.
contract Vamm {
    event PositionOpened(
        address indexed user, uint256 indexed positionId, bool isLong,
        uint256 size, uint256 price, uint256 leverage, uint256 fee
    );
    event PositionClosed(
        address indexed user, uint256 indexed positionId,
        uint256 size, uint256 price, int256 pnl, uint256 fee
    );
    event PositionIncreased(
        address indexed user, uint256 indexed positionId,
        uint256 sizeAdded, uint256 newSize, uint256 newEntryPrice, uint256 fee
    );
    event PositionLiquidated(
        address indexed user, uint256 indexed positionId, address indexed liquidator,
        uint256 size, uint256 price, uint256 fee
    );
    event FundingUpdated(int256 fundingRate, uint256 fundingIndex, int256 premiumFraction);
    event BondingCurveUpdated(uint256 newPrice, uint256 totalSupply, uint256 priceChange);

    uint256 public constant SUPPLY = 1_000_000e18;

    uint256 public immutable startingPrice;
    /// One storage slot: positions are numbered; those in [oldest, next) are open.
    uint160 public price;
    uint48 public oldest = 1;
    uint48 public next = 1;

    constructor(uint256 startingPrice_) {
        startingPrice = startingPrice_;
        price = uint160(startingPrice_);
    }

    // -- one event of every kind, as told --

    function open(bool isLong, uint256 size, uint256 newPrice, uint256 leverage) external {
        uint256 before = _move(newPrice);
        emit PositionOpened(msg.sender, next++, isLong, size, before, leverage, _fee(size));
    }

    function close(uint256 id, uint256 size, uint256 newPrice, int256 pnl) external {
        uint256 before = _move(newPrice);
        emit PositionClosed(msg.sender, id, size, before, pnl, _fee(size));
    }

    function increase(uint256 id, uint256 sizeAdded) external {
        emit PositionIncreased(msg.sender, id, sizeAdded, 2 * sizeAdded, price / 3, _fee(sizeAdded));
    }

    function liquidate(address user, uint256 id, uint256 size, uint256 newPrice) external {
        _move(newPrice);
        emit PositionLiquidated(user, id, msg.sender, size, price, _fee(size));
    }

    function fund(int256 rate) external {
        emit FundingUpdated(rate, block.number, rate * 1e10);
    }

    function _move(uint256 newPrice) private returns (uint256 before) {
        before = price;
        price = uint160(newPrice);
        emit BondingCurveUpdated(newPrice, SUPPLY, newPrice > before ? newPrice - before : before - newPrice);
    }

    function _fee(uint256 size) private pure returns (uint256) {
        return size * 30 / 10_000;
    }

    // -- many events, decided by the seed alone --

    /// Emit exactly `count` events. Every step draws r = keccak256(seed, step):
    /// r % 16 says what happens, higher bits how.
    function burst(uint256 seed, uint256 count) external {
        uint256 mark = price;
        uint256 first = oldest;
        uint256 free = next;
        uint256 emitted;
        for (uint256 step; emitted < count; step++) {
            uint256 r = uint256(keccak256(abi.encode(seed, step)));
            uint256 kind = r % 16;
            uint256 size = 1e15 + (r >> 16) % 1e22;
            if (emitted + 1 == count || kind == 15) {
                int256 rate = int256((r >> 128) % 20_001) - 10_000;
                emit FundingUpdated(rate, step, rate * 1e10);
                emitted++;
            } else if (kind > 12 && free > first) {
                uint256 id = first + (r >> 128) % (free - first);
                emit PositionIncreased(_user(id), id, size, 2 * size, mark / 3, _fee(size));
                emitted++;
            } else {
                uint256 before = mark;
                mark = _walk(mark, r >> 96);
                emit BondingCurveUpdated(mark, SUPPLY, mark > before ? mark - before : before - mark);
                if (kind < 8 || free == first) {
                    _open(free++, r, size, before);
                } else if (kind < 12) {
                    int256 pnl = int256((r >> 128) % 1e21) - 5e20;
                    emit PositionClosed(_user(first), first, size, before, pnl, _fee(size));
                    first++;
                } else {
                    emit PositionLiquidated(_user(first), first, msg.sender, size, mark, _fee(size));
                    first++;
                }
                emitted += 2;
            }
        }
        price = uint160(mark);
        oldest = uint48(first);
        next = uint48(free);
    }

    function _open(uint256 id, uint256 r, uint256 size, uint256 before) private {
        bool isLong = (r >> 128) % 2 == 0;
        emit PositionOpened(_user(id), id, isLong, size, before, 1 + (r >> 136) % 100, _fee(size));
    }

    /// Return a price up to 0.5 % away, turned back at a tenth and ten times the first.
    function _walk(uint256 mark, uint256 r) private view returns (uint256) {
        uint256 step = mark * (r % 501) / 100_000 + 1;
        bool up = (r >> 16) % 2 == 0;
        if (mark > 10 * startingPrice) up = false;
        if (mark < startingPrice / 10) up = true;
        return up || mark <= step ? mark + step : mark - step;
    }

    function _user(uint256 id) private pure returns (address) {
        return address(uint160(0xa11ce << 64 | id));
    }
}

/// Emits a market's events and is none: no factory announced it.
contract Impostor is Vamm {
    event MarketCreated(
        bytes32 indexed marketId, string symbol, address indexed vamm, address indexed vault,
        address oracle, address collateralToken, uint256 startingPrice, uint8 marketType
    );

    constructor() Vamm(7e18) {}

    /// Announce itself as a market, as only the factory may.
    function announce(string calldata symbol) external {
        bytes32 id = keccak256(bytes(symbol));
        emit MarketCreated(id, symbol, address(this), address(this), address(0), address(0), 7e18, 0);
    }
}
