//! A small memory of what was read of late, that can be asked without waiting.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use crate::lock::lock;

/// Keeps between `most` and twice `most` of what was last put in or asked for.
pub struct Recent<K, V> {
    most: usize,
    generations: Mutex<[HashMap<K, V>; 2]>,
}

impl<K: Eq + Hash + Copy, V: Clone> Recent<K, V> {
    pub fn new(most: usize) -> Self {
        Recent { most: most.max(1), generations: Mutex::new([HashMap::new(), HashMap::new()]) }
    }

    pub fn find(&self, key: K) -> Option<V> {
        let value = {
            let generations = lock(&self.generations);
            let [young, old] = &*generations;
            if let Some(value) = young.get(&key) {
                return Some(value.clone());
            }
            old.get(&key)?.clone()
        };
        self.keep(key, value.clone());
        Some(value)
    }

    pub fn keep(&self, key: K, value: V) {
        let mut generations = lock(&self.generations);
        let [young, old] = &mut *generations;
        if young.len() >= self.most && !young.contains_key(&key) {
            *old = std::mem::take(young);
        }
        young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let recent = Recent::new(4);
        recent.keep(0, 'a');
        for key in 1..100 {
            recent.keep(key, 'b');
            assert_eq!(recent.find(0), Some('a'));
        }
        assert_eq!((recent.find(1), recent.find(99)), (None, Some('b')));
        let generations = lock(&recent.generations);
        assert!(generations.iter().map(HashMap::len).sum::<usize>() <= 8);
    }
}
