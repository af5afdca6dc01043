import React from 'react';
import {StyleSheet, Text, View} from 'react-native';

import {nextOnDuty, type Person} from '../rotation';

type Props = {
  people: readonly Person[];
  turn: number;
};

const AHEAD = 5;

export function DutyList({people, turn}: Props): React.JSX.Element {
  const coming = Array.from({length: AHEAD}, (_, i) => nextOnDuty(people, turn + i + 1));
  return (
    <View style={styles.list}>
      {coming.map((person, i) => (
        <Text key={`${turn}-${i}`} style={styles.row}>
          {i + 1}. {person.name}
        </Text>
      ))}
    </View>
  );
}

const styles = StyleSheet.create({
  list: {alignSelf: 'stretch'},
  row: {fontSize: 16, lineHeight: 26, color: '#22313f'},
});
