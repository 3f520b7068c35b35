SELECT
    market_id,
    symbol,
    name,
    exchange,
    chain_id,
    contract,
    base,
    quote,
    trade_order,
    price_rule,
    price_decimals,
    tier,
    status,
    raw_complete_from
FROM markets FINAL
ORDER BY market_id
