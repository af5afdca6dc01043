import React, {useState} from 'react';
import {Image, SafeAreaView, Text} from 'react-native';

import {tideAt, type Tide} from './src/tides';

export default function App(): React.JSX.Element {
  const [hour, setHour] = useState(0);
  const tide: Tide = tideAt(hour);
  return (
    <SafeAreaView>
      <Image source={require('./assets/wheel.png')} />
      <Text onPress={() => setHour(hour + 1)}>
        {hour}:00 {tide.name}
      </Text>
    </SafeAreaView>
  );
}
