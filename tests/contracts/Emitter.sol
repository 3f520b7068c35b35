// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// Emits any log: events of other protocols, and malformed ones.
contract Emitter {
    /// Emit one log per entry of `data`, with up to four topics each.
    function emitLogs(bytes32[][] calldata topics, bytes[] calldata data) external {
        for (uint256 i; i < data.length; i++) {
            _emit(topics[i], data[i]);
        }
    }

    function _emit(bytes32[] calldata t, bytes memory data) private {
        uint256 count = t.length;
        require(count <= 4, "a log has at most four topics");
        bytes32 t0 = count > 0 ? t[0] : bytes32(0);
        bytes32 t1 = count > 1 ? t[1] : bytes32(0);
        bytes32 t2 = count > 2 ? t[2] : bytes32(0);
        bytes32 t3 = count > 3 ? t[3] : bytes32(0);
        assembly ("memory-safe") {
            let start := add(data, 32)
            let size := mload(data)
            switch count
            case 0 { log0(start, size) }
            case 1 { log1(start, size, t0) }
            case 2 { log2(start, size, t0, t1) }
            case 3 { log3(start, size, t0, t1, t2) }
            default { log4(start, size, t0, t1, t2, t3) }
        }
    }
}
