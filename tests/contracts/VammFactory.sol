// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Vamm} from "./Vamm.sol";

interface OlderEvents {
    event MarketCreated(
        bytes32 indexed marketId, string symbol, address indexed vamm, address indexed vault,
        address oracle, address collateralToken
    );
}

/// Creates vAMM markets and says so, in both forms.
contract VammFactory is OlderEvents {
    event MarketCreated(
        bytes32 indexed marketId, string symbol, address indexed vamm, address indexed vault,
        address oracle, address collateralToken, uint256 startingPrice, uint8 marketType
    );
    event MarketStatusChanged(bytes32 indexed marketId, bool active);

    address public immutable collateralToken;
    Vamm[] public markets;

    constructor(address collateralToken_) {
        collateralToken = collateralToken_;
    }

    function createMarket(string calldata symbol, uint256 startingPrice) external {
        _create(symbol, startingPrice);
    }

    /// Create a market with the event that has neither startingPrice nor marketType.
    function createOlderMarket(string calldata symbol, uint256 startingPrice) external {
        Vamm vamm = _deploy(startingPrice);
        emit OlderEvents.MarketCreated(
            _id(symbol), symbol, address(vamm), _vault(vamm), address(0), collateralToken
        );
    }

    /// Create markets named symbol0, symbol1, …, each ten times as dear as the one before,
    /// beginning anew every six.
    function createMarkets(string calldata symbol, uint256 count) external {
        for (uint256 i; i < count; i++) {
            bytes memory digits = i < 10
                ? abi.encodePacked(uint8(48 + i))
                : abi.encodePacked(uint8(48 + i / 10), uint8(48 + i % 10));
            _create(string.concat(symbol, string(digits)), 1e15 * 10 ** (i % 6));
        }
    }

    /// Create a market and let it trade in the same transaction.
    function createAndTrade(string calldata symbol, uint256 startingPrice, uint256 seed, uint256 count)
        external
    {
        _create(symbol, startingPrice).burst(seed, count);
    }

    /// Let every market emit `count` events.
    function burstAll(uint256 seed, uint256 count) external {
        for (uint256 i; i < markets.length; i++) {
            markets[i].burst(uint256(keccak256(abi.encode(seed, i))), count);
        }
    }

    function setActive(string calldata symbol, bool active) external {
        emit MarketStatusChanged(_id(symbol), active);
    }

    function marketCount() external view returns (uint256) {
        return markets.length;
    }

    function _create(string memory symbol, uint256 startingPrice) private returns (Vamm vamm) {
        vamm = _deploy(startingPrice);
        emit MarketCreated(
            _id(symbol), symbol, address(vamm), _vault(vamm), address(0), collateralToken, startingPrice, 1
        );
    }

    function _deploy(uint256 startingPrice) private returns (Vamm vamm) {
        vamm = new Vamm(startingPrice);
        markets.push(vamm);
    }

    function _id(string memory symbol) private pure returns (bytes32) {
        return keccak256(bytes(symbol));
    }

    function _vault(Vamm vamm) private pure returns (address) {
        return address(uint160(address(vamm)) ^ 1);
    }
}
