use super::*;
use gear_exe_primitives::ethereum::EthereumHeader;

/// A tree of blocks with a head; some blocks may be withheld.
#[derive(Default)]
struct Tree {
    headers: HashMap<H256, EthereumHeader>,
    head: Option<EthereumHeader>,
    withheld: Option<H256>,
}

impl Tree {
    fn grow(&mut self, from: Option<EthereumHeader>, count: u64, branch: u8) -> EthereumHeader {
        let mut tip = from;
        for _ in 0..count {
            let number = tip.map_or(0, |tip| tip.number + 1);
            let mut hash = [branch; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            let header = EthereumHeader {
                hash: H256(hash),
                parent: tip.map_or(H256::zero(), |tip| tip.hash),
                number,
                ..Default::default()
            };
            self.headers.insert(header.hash, header);
            tip = Some(header);
        }
        self.head = tip;
        tip.unwrap()
    }

    fn below(&self, mut tip: EthereumHeader, depth: usize) -> EthereumHeader {
        for _ in 0..depth {
            tip = self.headers[&tip.parent];
        }
        tip
    }
}

impl Source for Tree {
    async fn header(&self, which: Which) -> Result<Option<ProvenHeader>, SourceError> {
        let header = match which {
            Which::Latest => self.head,
            Which::Hash(hash) if Some(hash) == self.withheld => None,
            Which::Hash(hash) => self.headers.get(&hash).copied(),
            Which::Number(number) => {
                let mut block = self.head;
                while let Some(tip) = block
                    && tip.number > number
                {
                    block = self.headers.get(&tip.parent).copied();
                }
                block.filter(|block| block.number == number)
            }
            Which::Finalized => None,
        };
        Ok(header.map(|header| ProvenHeader {
            header,
            rlp: Vec::new(),
        }))
    }

    async fn block(&self, header: &EthereumHeader) -> Result<EthereumBlock, SourceError> {
        Ok(EthereumBlock {
            header: *header,
            events: Vec::new(),
        })
    }
}

#[tokio::test]
async fn reorgs_and_gaps_of_any_length() {
    for depth in [1, 5, 70, 300] {
        let mut tree = Tree::default();
        let mut chain = CanonicalChain::default();
        tree.grow(None, 1, 1);
        assert_eq!(
            advance(&tree, &mut chain)
                .await
                .unwrap()
                .unwrap()
                .added
                .len(),
            1
        );
        let tip = tree.grow(tree.head, 400, 1);
        let mut filled = 0;
        while let Some(change) = advance(&tree, &mut chain).await.unwrap() {
            assert!(change.reverted.is_empty());
            filled += change.added.len();
        }
        assert_eq!(filled, 400);
        let common = tree.below(tip, depth);
        let other = tree.grow(Some(common), depth as u64 + 1, 2);
        let change = advance(&tree, &mut chain).await.unwrap().unwrap();
        assert_eq!(
            (change.reverted.len(), change.added.len()),
            (depth, depth + 1)
        );
        assert_eq!(change.added[0].parent, common.hash);
        assert_eq!(change.added.last(), Some(&other));
        assert_eq!(advance(&tree, &mut chain).await, Ok(None));
        // And back again.
        tree.head = Some(tip);
        let change = advance(&tree, &mut chain).await.unwrap().unwrap();
        assert_eq!(
            (change.reverted.len(), change.added.len()),
            (depth + 1, depth)
        );
    }
}

#[tokio::test]
async fn a_missing_parent_changes_nothing() {
    let mut tree = Tree::default();
    let mut chain = CanonicalChain::default();
    let first = tree.grow(None, 5, 1);
    advance(&tree, &mut chain).await.unwrap();
    let tip = tree.grow(Some(first), 3, 1);
    tree.withheld = Some(tip.parent);
    assert!(matches!(
        advance(&tree, &mut chain).await,
        Err(SourceError::Missing(_))
    ));
    assert_eq!(chain.head(), Some(&first));
    tree.withheld = None;
    assert_eq!(
        advance(&tree, &mut chain)
            .await
            .unwrap()
            .unwrap()
            .added
            .len(),
        3
    );
}

#[tokio::test]
async fn a_lagging_node_changes_nothing() {
    let mut tree = Tree::default();
    let mut chain = CanonicalChain::default();
    let old = tree.grow(None, 5, 1);
    advance(&tree, &mut chain).await.unwrap();
    tree.grow(Some(old), 3, 1);
    advance(&tree, &mut chain).await.unwrap();
    tree.head = Some(old);
    assert_eq!(advance(&tree, &mut chain).await, Ok(None));
    assert_eq!(chain.head().map(|head| head.number), Some(7));
}

#[test]
fn the_cache_is_bounded() {
    let mut cache = Cache::new(2);
    for number in 0..5u8 {
        cache.insert(H256::repeat_byte(number), number);
        cache.insert(H256::repeat_byte(number), number);
    }
    assert_eq!(cache.items.len(), 2);
    assert_eq!(cache.get(&H256::repeat_byte(4)), Some(4));
    assert_eq!(cache.get(&H256::repeat_byte(2)), None);
}
